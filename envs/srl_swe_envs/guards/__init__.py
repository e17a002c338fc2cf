"""What keeps an agent from finding the answer instead of working it out, and what notices when it tried.

`preparation` runs once in a fresh container of a task's image (history, caches); `audit` looks at what an agent did.
The guards against the network and against privileges are fields of the container's spec.
"""
