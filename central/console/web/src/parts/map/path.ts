/** GeoJSON as the `d` of an SVG path. */

export type Position = readonly number[]

/** Return the path of a shape; `dot` writes one position as "x y". Points draw nothing. */
export function path(geometry: GeoJSON.Geometry, dot: (at: Position) => string): string {
  const line = (points: Position[], close: boolean) => (points.length ? `M${points.map(dot).join('L')}${close ? 'Z' : ''}` : '')
  if (geometry.type === 'Polygon') return geometry.coordinates.map((ring) => line(ring, true)).join('')
  if (geometry.type === 'MultiPolygon') return geometry.coordinates.flat().map((ring) => line(ring, true)).join('')
  if (geometry.type === 'LineString') return line(geometry.coordinates, false)
  if (geometry.type === 'MultiLineString') return geometry.coordinates.map((part) => line(part, false)).join('')
  return ''
}
