def intent(t): return "none"
