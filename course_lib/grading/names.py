"""Which names a piece of source binds and reads, found without running it (by `symtable`)."""
import symtable


def bound(source: str) -> set[str]:
    """Names that `source` binds at its top level: by assignment, import, def, class, for, with."""
    table = symtable.symtable(source, "cell", "exec")
    found = {name.get_name() for name in table.get_symbols() if name.is_assigned() or name.is_imported() or name.is_namespace()}
    return found | {name.get_name() for part in _parts(table) for name in part.get_symbols()
                    if name.is_declared_global() and name.is_assigned()}


def used(source: str) -> set[str]:
    """Names of the top level that `source` reads, in functions and comprehensions too."""
    return {name.get_name() for part in _parts(symtable.symtable(source, "cell", "exec")) for name in part.get_symbols()
            if name.is_referenced() and (part.get_type() == "module" or name.is_global())}


def _parts(table):
    yield table
    for child in table.get_children():
        yield from _parts(child)


def observations(observe: str, check: str) -> list[str]:
    """Names that `observe` assigns (not imports, not functions) and `check` reads, sorted."""
    table, read = symtable.symtable(observe, "observe", "exec"), used(check)
    return sorted(name.get_name() for name in table.get_symbols()
                  if name.is_assigned() and not name.is_imported() and not name.is_namespace()
                  and name.get_name() in read)
