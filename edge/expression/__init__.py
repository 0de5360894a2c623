"""Small typed conditions over points: `pump1.running == 1 and avg(well.level, 60 s) > 3.2 and not gate.open`.

parse (lark's LALR parser; loaded at the first expression, never eval) → check (names, types, units) → live
"""
