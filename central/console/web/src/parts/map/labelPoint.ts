/** Where a polygon's name goes: tiles cut a polygon into parts, and each part would get the name again. */

type Ring = GeoJSON.Position[]

/** Middle of the longest stretch inside `ring` along the line where `axis` (0 lon, 1 lat) is `at`. */
function middle(ring: Ring, axis: 0 | 1, at: number): number | null {
  const other = axis === 0 ? 1 : 0
  const cuts: number[] = []
  for (let i = 0; i + 1 < ring.length; i++) {
    const a = ring[i]
    const b = ring[i + 1]
    if (!a || !b) continue
    const [ax, ay, bx, by] = [a[axis] ?? 0, a[other] ?? 0, b[axis] ?? 0, b[other] ?? 0]
    if (ax > at !== bx > at) cuts.push(ay + ((at - ax) / (bx - ax)) * (by - ay))
  }
  cuts.sort((a, b) => a - b)
  let best: [number, number] | null = null
  for (let i = 0; i + 1 < cuts.length; i += 2) {
    const from = cuts[i] ?? 0
    const to = cuts[i + 1] ?? 0
    if (!best || to - from > best[1] - best[0]) best = [from, to]
  }
  return best ? (best[0] + best[1]) / 2 : null
}

/** Return a point inside a polygon near the middle of its longer side; null for an empty one. */
export function labelPoint(ring: Ring): [number, number] | null {
  if (ring.length < 4) return null
  const lon = ring.map((position) => position[0] ?? 0)
  const lat = ring.map((position) => position[1] ?? 0)
  const [west, east, south, north] = [Math.min(...lon), Math.max(...lon), Math.min(...lat), Math.max(...lat)]
  if (east - west >= north - south) {
    const x = (west + east) / 2
    const y = middle(ring, 0, x)
    return y === null ? null : [x, y]
  }
  const y = (south + north) / 2
  const x = middle(ring, 1, y)
  return x === null ? null : [x, y]
}
