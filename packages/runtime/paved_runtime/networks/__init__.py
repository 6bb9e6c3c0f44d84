"""Neural networks: what PyTorch's models and Keras's share. How they learn, on one machine or several; how a run goes on where another was
stopped; how they become graphs.

All but its settings need torch, so only training imports them: a server has no use for it.
"""
