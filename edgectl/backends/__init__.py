"""The contracts a backend implements, and what vendor compilers are handed."""
