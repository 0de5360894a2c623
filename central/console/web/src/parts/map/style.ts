/** How the city looks at night: no tiles, no glyphs from outside, only the city's own GeoJSON. */
import type { StyleSpecification } from 'maplibre-gl'
import type { CityMap, Site } from '@/api/types'
import type { Locale } from '@/i18n'
import { labelPoint } from './labelPoint'

const EMPTY: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }
const ROUND = { 'line-cap': 'round', 'line-join': 'round' } as const
const MAJOR = ['expressway', 'arterial', 'bridge']
const FONT = ['Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'sans-serif']

/** Whether a road is one of those that are seen from afar. */
export const isMajor = (road: GeoJSON.Feature) => MAJOR.includes(String(road.properties?.kind ?? road.properties?.class ?? ''))

/** The label of a feature: the city's files say `name` as {zh, en}, or as name_zh and name_en. */
function labelled(collection: GeoJSON.FeatureCollection, locale: Locale): GeoJSON.FeatureCollection {
  return {
    ...collection,
    features: collection.features.map((feature) => {
      const properties = (feature.properties ?? {}) as Record<string, unknown>
      const name = properties.name as Record<string, string> | string | undefined
      const label = (typeof name === 'object' ? name[locale] : undefined) ?? properties[`name_${locale}`] ?? (typeof name === 'string' ? name : '')
      return { ...feature, properties: { ...properties, label } }
    }),
  }
}

/** One point with a name for each polygon of a layer. */
function names(collection: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
  const features: GeoJSON.Feature[] = []
  for (const feature of collection.features) {
    const ring = feature.geometry.type === 'Polygon' ? feature.geometry.coordinates[0] : undefined
    const at = ring ? labelPoint(ring) : null
    if (at && feature.properties?.label) features.push({ type: 'Feature', properties: feature.properties, geometry: { type: 'Point', coordinates: at } })
  }
  return { type: 'FeatureCollection', features }
}

/** The sites as labels; the worst come first, where two names would overlap. */
export function siteNames(sites: readonly Site[], locale: Locale): GeoJSON.FeatureCollection {
  return {
    type: 'FeatureCollection',
    features: sites.map((site) => ({ type: 'Feature', properties: { label: site.name[locale], order: site.worst_priority ? Number(site.worst_priority[1]) : 9 }, geometry: { type: 'Point', coordinates: [site.lon, site.lat] } })),
  }
}

/** Return the whole style for a language; scale: of the words, for screens that are read from afar. */
export function cityStyle(city: CityMap, sites: readonly Site[], locale: Locale, scale = 1): StyleSpecification {
  const source = (data: GeoJSON.FeatureCollection | undefined) => ({ type: 'geojson' as const, data: labelled(data ?? EMPTY, locale) })
  const kind = ['coalesce', ['get', 'kind'], ['get', 'class'], ''] as const
  const major = ['in', kind, ['literal', MAJOR]] as const
  return {
    version: 8,
    sources: { districts: source(city.districts), water: source(city.water), parks: source(city.parks), roads: source(city.roads), 'site-names': { type: 'geojson', data: siteNames(sites, locale) }, 'district-names': { type: 'geojson', data: names(labelled(city.districts, locale)) }, 'water-names': { type: 'geojson', data: names(labelled(city.water, locale)) } },
    layers: [
      { id: 'ground', type: 'background', paint: { 'background-color': '#070d17' } },
      { id: 'districts', type: 'fill', source: 'districts', paint: { 'fill-color': '#0c1625' } },
      { id: 'parks', type: 'fill', source: 'parks', paint: { 'fill-color': '#0d2523', 'fill-opacity': 0.9 } },
      { id: 'water-glow', type: 'line', source: 'water', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'line-color': '#1d6c86', 'line-width': 8, 'line-blur': 8, 'line-opacity': 0.5 } },
      { id: 'water', type: 'fill', source: 'water', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': '#0e2f45' } },
      { id: 'water-edge', type: 'line', source: 'water', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'line-color': '#266d86', 'line-width': 1, 'line-opacity': 0.7 } },
      { id: 'streams', type: 'line', source: 'water', filter: ['==', ['geometry-type'], 'LineString'], layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': '#15435d', 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 1.5, 14, 5] } },
      { id: 'local', type: 'line', source: 'roads', filter: ['==', kind, 'local'] as never, layout: ROUND, paint: { 'line-color': '#15223a', 'line-width': ['interpolate', ['exponential', 1.5], ['zoom'], 10, 0.5, 16, 6] } },
      { id: 'secondary', type: 'line', source: 'roads', filter: ['!', ['in', kind, ['literal', ['local', 'railway', ...MAJOR]]]] as never, layout: ROUND, paint: { 'line-color': '#1f3049', 'line-width': ['interpolate', ['exponential', 1.5], ['zoom'], 9, 0.6, 16, 9] } },
      { id: 'railway', type: 'line', source: 'roads', filter: ['==', kind, 'railway'] as never, paint: { 'line-color': '#3a4a63', 'line-width': 1.6, 'line-dasharray': [6, 3] } },
      { id: 'major-case', type: 'line', source: 'roads', filter: major as never, layout: ROUND, paint: { 'line-color': '#070d17', 'line-width': ['interpolate', ['exponential', 1.5], ['zoom'], 9, 2, 16, 20] } },
      { id: 'major', type: 'line', source: 'roads', filter: major as never, layout: ROUND, paint: { 'line-color': ['match', kind, 'expressway', '#41597f', '#30466a'] as never, 'line-width': ['interpolate', ['exponential', 1.5], ['zoom'], 9, 1.1, 16, 14] } },
      { id: 'borders', type: 'line', source: 'districts', paint: { 'line-color': '#3c5c8c', 'line-width': 1.1, 'line-dasharray': [3, 3], 'line-opacity': 0.75 } },
      { id: 'road-names', type: 'symbol', source: 'roads', minzoom: 12.5, layout: { 'symbol-placement': 'line', 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': 11 * scale, 'symbol-spacing': 420 }, paint: { 'text-color': '#5d7595', 'text-halo-color': '#070d17', 'text-halo-width': 1.4 } },
      { id: 'water-names', type: 'symbol', source: 'water-names', layout: { 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': 13 * scale, 'text-letter-spacing': 0.25, 'symbol-placement': 'point' }, paint: { 'text-color': '#4d9db5', 'text-halo-color': '#0e2f45', 'text-halo-width': 1 } },
      { id: 'district-names', type: 'symbol', source: 'district-names', maxzoom: 13.5, layout: { 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': 15 * scale, 'text-letter-spacing': 0.3 }, paint: { 'text-color': '#50668a', 'text-halo-color': '#0c1625', 'text-halo-width': 1.2 } },
      { id: 'site-names', type: 'symbol', source: 'site-names', layout: { 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': ['case', ['<', ['get', 'order'], 9], 13.5 * scale, 12 * scale], 'text-variable-anchor': ['top', 'bottom', 'left', 'right'], 'text-radial-offset': 1.6, 'text-justify': 'auto', 'text-max-width': 14, 'symbol-sort-key': ['get', 'order'] }, paint: { 'text-color': ['case', ['<', ['get', 'order'], 9], '#ffffff', '#a9bad2'], 'text-halo-color': '#060b14', 'text-halo-width': 1.6 } },
    ],
  } as StyleSpecification
}
