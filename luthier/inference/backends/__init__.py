"""Backends, one file each: ``load(directory, manifest, …)`` gives something that turns batches into logits."""
