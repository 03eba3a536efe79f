"""Making the bundled weights: sprites, scenes, and the training of the three stages. The page never imports it."""
