/** The small layers over the ground: where alarms came from, what is cut off, where cases are open. */
import type { GeoJSONSource, LayerSpecification, Map as MapView } from 'maplibre-gl'

export interface Spot {
  at: [number, number]
  properties?: Record<string, string | number>
}
export type SpotLayer = 'heat' | 'offline' | 'cases'

const LOOKS: Record<SpotLayer, Omit<LayerSpecification, 'id' | 'source'>> = {
  heat: {
    type: 'heatmap', maxzoom: 18,
    paint: {
      'heatmap-weight': ['interpolate', ['linear'], ['get', 'weight'], 0, 0, 40, 1],
      'heatmap-radius': ['interpolate', ['linear'], ['zoom'], 9, 18, 16, 60],
      'heatmap-intensity': 1.2,
      'heatmap-opacity': 0.75,
      'heatmap-color': ['interpolate', ['linear'], ['heatmap-density'], 0, 'rgba(20,40,80,0)', 0.2, 'rgba(45,90,160,0.35)', 0.5, 'rgba(120,110,190,0.5)', 0.8, 'rgba(230,150,150,0.6)', 1, 'rgba(255,214,190,0.75)'],
    },
  } as never,
  offline: { type: 'symbol', layout: { 'icon-image': 'offline', 'icon-allow-overlap': true } } as never,
  cases: { type: 'symbol', layout: { 'icon-image': ['concat', 'case-', ['get', 'count']], 'icon-offset': [20, 18], 'icon-allow-overlap': true } } as never,
}
const ORDER: readonly SpotLayer[] = ['heat', 'offline', 'cases']

export class Spots {
  private readonly held: Record<SpotLayer, Spot[]> = { heat: [], offline: [], cases: [] }

  constructor(private readonly map: MapView) {}

  /** Add what lies below the devices (heat, offline) or above them (cases) to the style that has just loaded. */
  attach(layers: readonly SpotLayer[] = ORDER): void {
    for (const layer of layers) {
      if (this.map.getSource(layer)) continue
      this.map.addSource(layer, { type: 'geojson', data: collection(this.held[layer]) })
      this.map.addLayer({ ...LOOKS[layer], id: layer, source: layer } as LayerSpecification)
    }
  }

  /** Show these; what looks as before is not drawn again, which without a graphics card takes a third of a second. */
  show(layer: SpotLayer, spots: Spot[]): void {
    const before = this.held[layer]
    this.held[layer] = spots
    if (before.length === spots.length && JSON.stringify(before) === JSON.stringify(spots)) return
    void this.map.getSource<GeoJSONSource>(layer)?.setData(collection(spots))
  }

  setVisible(layer: SpotLayer, visible: boolean): void {
    if (this.map.getLayer(layer)) this.map.setLayoutProperty(layer, 'visibility', visible ? 'visible' : 'none')
  }
}

function collection(spots: readonly Spot[]): GeoJSON.FeatureCollection {
  return { type: 'FeatureCollection', features: spots.map((spot) => ({ type: 'Feature', properties: spot.properties ?? {}, geometry: { type: 'Point', coordinates: spot.at } })) }
}
