"""The steps by which a deployment's schema grows; models/migrate.py runs them."""
