/** Devices as clusters: MapLibre's own, with the worst rank and counts; changed devices go in as differences. */
import type { GeoJSONSource, Map as MapView, MapLayerMouseEvent } from 'maplibre-gl'
import type { Markers } from './markers'

const SOURCE = 'devices'
export const DEVICE_LAYERS = ['device-clusters', 'device-signs'] as const
const DEEPEST = 17
/** More changes than this cost less as one new set of data. */
const MOST_CHANGES = 5_000

const is = (rank: number) => ['+', ['case', ['==', ['get', 'rank'], rank], 1, 0]]
const alarmed = ['get', 'alarmed']

export class DeviceLayer {
  private markers: Markers | null = null
  private hidden: ReadonlySet<number> = new Set()

  constructor(private readonly map: MapView) {}

  /** Add the source and its layers to the style that has just loaded. */
  attach(): void {
    if (this.map.getSource(SOURCE)) return
    this.map.addSource(SOURCE, {
      type: 'geojson',
      data: this.collection(),
      cluster: true,
      clusterRadius: 46,
      clusterMaxZoom: DEEPEST,
      maxzoom: 19,
      clusterProperties: { rank: ['max', ['get', 'rank']], alarmed: ['+', ['case', ['>=', ['get', 'rank'], 3], 1, 0]], p1: is(6), p2: is(5), p3: is(4), p4: is(3) },
    } as never)
    this.map.addLayer({
      id: 'device-signs', type: 'symbol', source: SOURCE, filter: ['!', ['has', 'point_count']],
      layout: { 'icon-image': ['concat', 'dv-', ['get', 'rank'], '-', ['get', 'hollow']], 'icon-allow-overlap': true, 'icon-ignore-placement': true, 'symbol-sort-key': ['get', 'rank'] },
    } as never)
    this.map.addLayer({
      id: 'device-clusters', type: 'symbol', source: SOURCE, filter: ['has', 'point_count'],
      layout: {
        'icon-image': ['concat', 'cl-', ['get', 'rank'], '-', ['get', 'point_count_abbreviated'], '-', ['case', ['<', alarmed, 100], ['to-string', alarmed], ['<', alarmed, 1000], '99+', '999+']],
        'icon-allow-overlap': true, 'icon-ignore-placement': true, 'symbol-sort-key': ['get', 'rank'],
      },
    } as never)
  }

  /** Show these devices, without the kinds that are hidden. */
  show(markers: Markers, hidden: ReadonlySet<number>): void {
    this.markers = markers
    this.hidden = hidden
    void this.source?.setData(this.collection())
  }

  /** Show what changed in these rows. */
  update(rows: readonly number[]): void {
    const { markers, source } = this
    if (!markers || !source || !rows.length) return
    if (rows.length > MOST_CHANGES) {
      void source.setData(this.collection())
      return
    }
    const update = rows
      .filter((row) => !this.hidden.has((markers.kind[row] ?? 0)))
      .map((row) => ({ id: row, addOrUpdateProperties: [{ key: 'rank', value: markers.rank[row] }, { key: 'hollow', value: hollow(markers, row) }] }))
    void source.updateData({ update })
  }

  setVisible(visible: boolean): void {
    for (const layer of DEVICE_LAYERS) this.map.setLayoutProperty(layer, 'visibility', visible ? 'visible' : 'none')
  }

  /** Go into a cluster, or say which device was picked. */
  listen(picked: (row: number) => void): void {
    this.map.on('click', 'device-signs', (event: MapLayerMouseEvent) => {
      const id = event.features?.[0]?.id
      if (typeof id === 'number') picked(id)
    })
    this.map.on('click', 'device-clusters', (event: MapLayerMouseEvent) => {
      const feature = event.features?.[0]
      if (feature?.geometry.type !== 'Point' || !this.source) return
      const center = feature.geometry.coordinates as [number, number]
      void this.source.getClusterExpansionZoom(Number(feature.properties?.cluster_id)).then((zoom) => this.map.easeTo({ center, zoom: zoom + 0.3, duration: 450 }))
    })
    for (const layer of DEVICE_LAYERS) {
      this.map.on('mouseenter', layer, () => (this.map.getCanvas().style.cursor = 'pointer'))
      this.map.on('mouseleave', layer, () => (this.map.getCanvas().style.cursor = ''))
    }
  }

  private get source(): GeoJSONSource | undefined {
    return this.map.getSource<GeoJSONSource>(SOURCE)
  }

  private collection(): GeoJSON.FeatureCollection {
    const features: GeoJSON.Feature[] = []
    const { markers, hidden } = this
    for (let row = 0; markers && row < markers.count; row++) {
      if (hidden.has((markers.kind[row] ?? 0))) continue
      features.push({ type: 'Feature', id: row, properties: { rank: markers.rank[row], hollow: hollow(markers, row) }, geometry: { type: 'Point', coordinates: markers.at(row) } })
    }
    return { type: 'FeatureCollection', features }
  }
}

function hollow(markers: Markers, row: number): 0 | 1 {
  return markers.active[row] && !markers.unacked[row] ? 1 : 0
}
