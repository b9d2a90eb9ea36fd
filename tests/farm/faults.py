"""Mistakes to be planted in the compiler, one at a time: the farm has to notice each.

Each is a change of one place of the package's text, which occurs there once. They are what goes
wrong in such compilers: a term that is not summed back, an array that two values share, a value
that is read after it was overwritten, a step that is undone twice or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """`old` in a file of the package becomes `new`."""

    name: str
    file: str
    old: str
    new: str

    def plant(self, package: Path) -> None:
        """Raises ValueError if the text is not there, or not only once: then this file is old."""
        path = package / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {text.count(self.old)} places in {self.file}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


SUMMED = "        value = builder.assign(total, value, _axes({0}), Const({1}))\n"

FAULTS = (
    # rules
    Fault("the factors of a product swapped", "operations/elementwise.py",
          '"out = x * y",\n    "grad_x += grad_out * y",\n    "grad_y += grad_out * x",',
          '"out = x * y",\n    "grad_x += grad_out * x",\n    "grad_y += grad_out * y",'),
    Fault("a difference without its sign", "operations/elementwise.py",
          '"grad_y += -grad_out",\n    result="arithmetic"', '"grad_y += grad_out",\n    result="arithmetic"'),  # noqa: E501
    Fault("a quotient by the operand, not the result", "operations/elementwise.py",
          '"out = x / y",\n    "grad_x += grad_out / y",\n    "grad_y += -(grad_out / y) * out"',
          '"out = x / y",\n    "grad_x += grad_out / y",\n    "grad_y += -(grad_out / y) * x"'),
    Fault("the two sides of where swapped", "operations/choices.py",
          '"grad_x += np.where(c, grad_out, 0.0)",\n    "grad_y += np.where(c, 0.0, grad_out)",',
          '"grad_x += np.where(c, 0.0, grad_out)",\n    "grad_y += np.where(c, grad_out, 0.0)",'),
    Fault("maximum gives to the smaller", "operations/choices.py",
          '{"maximum": ">", "minimum": "<"', '{"maximum": "<", "minimum": ">"'),
    Fault("repeated indices added once", "operations/indexing.py",
          'rule("grad_x[i] += grad_out", when=no_repeats)', 'rule("grad_x[i] += grad_out")'),
    Fault("a store that does not end the old value", "operations/indexing.py",
          'rule("grad_v += grad_out[i]", "grad_x[i] = 0.0", when=no_repeats)',
          'rule("grad_v += grad_out[i]", "grad_x += grad_out", when=no_repeats)'),
    Fault("repeated stores all counted", "operations/indexing.py",
          'rule("grad_v += grad_out[i]", "grad_x[i] = 0.0", when=no_repeats)',
          'rule("grad_v += grad_out[i]", "grad_x[i] = 0.0")'),
    Fault("a mean that is a sum", "operations/reductions.py",
          'divided = f"(grad_out / ({count(operands)}))"', 'divided = "grad_out"'),
    Fault("a product of matrices without a transpose", "operations/products.py",
          'rule("grad_a += grad_out @ b.T", "grad_b += a.T @ grad_out", when=ranks(2, 2))',
          'rule("grad_a += grad_out @ b", "grad_b += a.T @ grad_out", when=ranks(2, 2))'),
    Fault("an outer product the other way round", "operations/products.py",
          'rule("grad_a += np.outer(grad_out, b)", "grad_b += a.T @ grad_out", when=ranks(2, 1))',
          'rule("grad_a += np.outer(b, grad_out)", "grad_b += a.T @ grad_out", when=ranks(2, 1))'),
    # broadcasting and types
    Fault("a number that met an array gets the array's adjoint", "passes/contributions.py",
          "            if whole and shape != ()\n            else value",
          "            if whole and shape is None\n            else value"),
    Fault("leading axes are not summed", "passes/contributions.py",
          SUMMED.format("range(extra)", "False"), "        pass\n"),
    Fault("axes of size one are not summed", "passes/contributions.py",
          SUMMED.format("stretched", "True"), "        pass\n"),
    Fault("no cast to the operand's type", "passes/contributions.py",
          "    return cast_like(builder, summed, operand.type)\n\n\ndef _summed",
          "    return summed\n\n\ndef _summed"),
    # the reverse sweep
    Fault("the last contribution replaces the others", "passes/sweep.py",
          '            value = self.builder.assign(catalogue().operations["+"], known, value)\n        self.adjoints[operand] = named(self.builder, value, name)',  # noqa: E501
          "            pass\n        self.adjoints[operand] = named(self.builder, value, name)"),
    Fault("an adjoint handed to a loop replaces what is known", "passes/sweep.py",
          "            value = self.builder.assign(plus, known, value)\n        self.set_adjoint",
          "            pass\n        self.set_adjoint"),
    Fault("no mask where a chain to a where ends", "passes/sweep.py",
          "        for mask in self.masks.ending_at(statement, operand):",
          "        for mask in ():"),
    Fault("the branch that was not taken is undone", "passes/undo_blocks.py",
          "targets, test, blocks[0], blocks[1]", "targets, test, blocks[1], blocks[0]"),
    Fault("a loop is undone from the front", "passes/undo_blocks.py",
          "return shifted(stop, -by), shifted(start, -by), Const(-by)",
          "return start, stop, step"),
    Fault("a loop is undone one trip short", "passes/undo_blocks.py",
          "        return shifted(count, -1), Const(-1), Const(-1)\n    last",
          "        return shifted(count, -1), Const(0), Const(-1)\n    last"),
    Fault("a while loop is undone one trip short", "passes/undo_blocks.py",
          "return shifted(sweep.recall(trips), -1), Const(-1), Const(-1)",
          "return shifted(sweep.recall(trips), -1), Const(0), Const(-1)"),
    Fault("what a loop reads from outside loses its adjoint", "passes/undo_blocks.py",
          "        for var in self.outside:\n            sweep.adjoints[var] = found[var]\n",
          "        for var in self.outside[1:]:\n            sweep.adjoints[var] = found[var]\n"),
    Fault("what a loop carries is active only at the second trip", "passes/activity.py",
          "if initial in active or following in active:", "if initial in active:"),
    # storage
    Fault("a tape is read one trip off", "passes/storage/tapes.py",
          'catalogue().operations["getitem"], tape, self.index(builder, resolve)\n',
          'catalogue().operations["getitem"], tape, self.index(builder, resolve, -1)\n'),
    Fault("the tape forgets its step", "passes/storage/rows.py",
          "    if step != UP:\n        number", "    if step == Const(2):\n        number"),
    Fault("a Python number comes back as NumPy's", "passes/storage/tapes.py",
          "    if isinstance(var.type, Number):\n        convert",
          "    if False:\n        convert"),
    Fault("what is read again was written over", "passes/storage/regions.py",
          "over = simple and all(self.accesses.is_over(read, update) for update in updates)",
          "over = simple"),
    Fault("later trips are thought to write elsewhere", "passes/storage/accesses.py",
          "    if read.high < written.low:", "    if read.high <= written.low + 1:"),
    Fault("an element that is read again is not cleared", "passes/settle_elements.py",
          "return all(self.accesses.is_over(store, one, carrying=carrying) for one in readers)",
          "return True"),
    Fault("one tape for what begins and what ends a trip, without the last row",
          "passes/storage/edit.py",
          "self.state[parameter] = storage.finish(self.builder, tape, target)",
          "self.state[parameter] = tape"),
    Fault("what was added to is thought to be zero still", "passes/settle_elements.py",
          "        return history.is_zero and all(\n", "        return history.is_zero or all(\n"),
    Fault("a write is undone with what another version held", "passes/storage/undo_writes.py",
          "if visible and (source.version, source.index) == write.operands[:2]:",
          "if visible and source.index == write.operands[1]:"),
    # memory
    Fault("an argument is written to", "passes/place_copies.py",
          "shared = bool(where & self.foreign) or self.is_held(where, alive - left_alone, first)",
          "shared = self.is_held(where, alive - left_alone, first)"),
    Fault("an array is written to that is read again", "passes/place_copies.py",
          "if shared or first in alive or first in rest:", "if shared or first in rest:"),
    Fault("a view is written to whose base is read again", "passes/place_copies.py",
          "shared = bool(where & self.foreign) or self.is_held(where, alive - left_alone, first)",
          "shared = bool(where & self.foreign)"),
    Fault("a part is thought to be left alone", "passes/kept_parts.py",
          "if all(accesses.are_apart_now(part, update) for update in updates):", "if True:"),
    Fault("a loop's array is not its own before the first trip", "passes/place_copies.py",
          "                own[place] = self.copy(atom, target)\n        return tuple(own)\n\n    def live_in_loop",  # noqa: E501
          "                pass\n        return tuple(own)\n\n    def live_in_loop"),
    Fault("two arrays of a loop become one", "passes/place_copies.py",
          "            if is_shared or (is_owned and not where <= ours | made):",
          "            if is_owned and not where <= ours | made:"),
    Fault("an array that may be another one does not follow it", "frontend/aliases.py",
          "        if flag != YES:\n            inner, lowering.builder.statements",
          "        if flag != YES:\n            changed = value\n            inner, lowering.builder.statements"),  # noqa: E501
    # simplification
    Fault("a sum that goes into a branch keeps the zero", "passes/sink_into_branches.py",
          "return operands[is_zero.index(True) - 1]", "return operands[is_zero.index(True)]"),
    Fault("sums behind a loop lose their signs", "passes/gather_sums.py",
          'operations["+" if term.sign > 0 else "-"]', 'operations["+"]'),
    Fault("products are shared whatever their order", "passes/share_subexpressions.py",
          "if op.name in COMMUTATIVE else operands", "if len(operands) == 2 else operands"),
    Fault("a maximum that does not cancel is taken for a constant", "passes/cancelling_shifts.py",
          "    return not any(atom in moves for atom in block.results)", "    return True"),
    Fault("the sign of a product is lost", "passes/algebra/products.py",
          "                atom, negate = context.assign(\"-x\", atom), False",
          "                negate = False"),
    # printing
    Fault("two values alive at once get one name", "backend/name_variables.py",
          "(self.has_blocks and kind != web.kind) or overlap(ranges, web.ranges)",
          "self.has_blocks and kind != web.kind"),
    Fault("an expression is moved behind a write", "backend/fold.py",
          "if _any_between(self.writes.get(allocation, []), start, end):", "if False:"),
    # lowering
    Fault("a name that a trip leaves alone loses its adjoint", "frontend/loop_trials.py",
          "and complete and not self._may_stay(place, path):", "and complete:"),
    # forward mode
    Fault("only one term of a tangent", "passes/tangent_lines.py",
          "        return self.spread(self.sum(values), statement, mark)",
          "        return self.spread(self.sum(values[:1]), statement, mark)"),
    Fault("a tangent is not broadcast", "passes/contributions.py",
          "        value = builder.assign(BROADCAST_TO, value, builder.assign(NUMPY_SHAPE, like))\n    return cast_like",  # noqa: E501
          "        pass\n    return cast_like"),
)  # fmt: skip
