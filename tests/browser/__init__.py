"""What the sandbox's phone page shows and does, in a real browser."""
