"""Jobs to slots: units, the window of what is published, and what waits at a slot."""
