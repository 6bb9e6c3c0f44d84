"""What people type. Every command speaks to AWS APIs only, so it serves localcloud and a real account alike."""
