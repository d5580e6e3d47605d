"""Beyond one machine: tasks on a Ray cluster, and files behind URLs (optional extras)."""
