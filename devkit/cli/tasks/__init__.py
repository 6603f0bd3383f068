"""`devkit run`: sending tasks, and what becomes of them."""
