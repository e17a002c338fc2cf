"""The mathematics domain: solutions become steps, replies are scored against the expert's next step."""
