"""Training of the adapter: the corpus, tasks cut from it, the objective, the loop."""
