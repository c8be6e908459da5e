"""What is shown: tables beside the papers' own, pages, charts, the demonstration."""
