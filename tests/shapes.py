"""Check the shapes and types that hyperdemo's signatures promise, on every call that tests make."""

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping

ROOT = Path(__file__).resolve().parent.parent


def checked_modules() -> list[str]:
    """Modules whose signatures are checked: all but Numba's, which compiles no wrapped function.

    Packages are left out, since naming one means all that is in it.
    """
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "hyperdemo").rglob("*.py")
        if path.name != "__init__.py" and "import numba" not in path.read_text()
    ]


def raising_at_the_end(iterator: Iterator, error: Exception) -> Iterator:
    yield from iterator
    raise error


def _refusing_in_its_own_words(checked: Callable, plain: Callable) -> Callable:
    @functools.wraps(plain)
    def init(self, *args, **kwargs):
        try:
            checked(self, *args, **kwargs)
        except jaxtyping.TypeCheckError:
            plain(object.__new__(type(self)), *args, **kwargs)
            raise

    return init


def letting_functions_speak_first(jaxtyped: Callable) -> Callable:
    """Make a bad argument count as a type error only where the function itself lets it pass.

    Bad input is given to functions on purpose, to see that they refuse it in the user's words.
    """

    def decorate(target: Callable, *, typechecker: Callable) -> Callable:
        if inspect.isclass(target):
            plain = target.__init__
            checked = jaxtyped(target, typechecker=typechecker)
            if checked.__init__ is not plain:
                checked.__init__ = _refusing_in_its_own_words(checked.__init__, plain)
            return checked
        checked = jaxtyped(target, typechecker=typechecker)

        @functools.wraps(target)
        def call(*args, **kwargs):
            try:
                return checked(*args, **kwargs)
            except jaxtyping.TypeCheckError as error:
                result = target(*args, **kwargs)
                if not isinstance(result, Iterator):
                    raise
                # One that hands out lazily may refuse lazily.
                return raising_at_the_end(result, error)

        @functools.wraps(target)
        def generate(*args, **kwargs):
            return (yield from call(*args, **kwargs))

        # Gradio asks what kind of function it was given.
        return generate if inspect.isgeneratorfunction(target) else call

    return lambda **options: functools.partial(decorate, **options)


def install() -> None:
    """Put the check in place; call it before anything imports hyperdemo."""
    jaxtyping.jaxtyped = letting_functions_speak_first(jaxtyping.jaxtyped)
    jaxtyping.install_import_hook(checked_modules(), "beartype.beartype")
