"""Both platforms played on this machine, with a phone in the browser (see `sandbox.Sandbox`)."""
