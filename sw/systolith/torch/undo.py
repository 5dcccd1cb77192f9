"""How converted modules become what they were."""

import weakref

__all__ = ["Undo"]


class Undo:
    """What restores modules, the last change first; keeps none of them alive.

    A ``with`` block that ends in an exception restores them.
    """

    def __init__(self):
        self._changes = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if kind is not None:
            self.run()

    def callback(self, module, function, *args):
        """Have ``function(module, *args)`` called when a module is to be restored."""
        self._changes.append((weakref.ref(module), function, args))

    def run(self):
        """Restore all modules that still exist."""
        while self._changes:
            reference, function, args = self._changes.pop()
            module = reference()
            if module is not None:
                function(module, *args)
