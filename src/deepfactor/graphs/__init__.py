"""Who is related to whom on a day, a file a kind: (b, k) neighbours with their similarity. Empty so far."""
