"""Test-time adaptation: the published parts it is built from. The loop that uses them is to come."""
