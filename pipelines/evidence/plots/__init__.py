"""The plots of evidence, by what they are about: of any model, or of what a task's scores are worth. Importing one takes half a second."""
