"""`citynerve doctor`: what is wrong with a centre, why it matters, and the command that mends it.

One file per family of looks. A look is an async function of `Patient` that yields findings; what it finds
well it does not mention. `examine` runs them all, and one that cannot look says so instead of hiding.
"""
