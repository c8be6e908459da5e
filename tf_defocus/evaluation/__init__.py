"""How good, and how dear: named protocols, scores, pictures, time and memory."""
