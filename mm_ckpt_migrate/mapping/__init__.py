"""From old names to new: the rules, and the plan made of them."""
