/** Where the devices stand and how urgent each is, in typed arrays: 50,000 of them are 2 MB and no objects. */
import type { MapDevices, MapMarks } from '@/api/types'
import { rankOf } from './look'

const METRE_DEG = 1 / 111_320
const GOLDEN = 2.399963

export class Markers {
  readonly count: number
  readonly version: string
  readonly ids: string[]
  readonly kinds: string[]
  readonly kind: Uint16Array
  readonly lon: Float64Array
  readonly lat: Float64Array
  readonly rank: Uint8Array
  readonly active: Uint16Array
  readonly unacked: Uint16Array
  private readonly siteRow: Uint32Array
  private readonly siteIds: string[]
  private readonly rows: Map<string, number>
  private named = new Set<number>()

  constructor(places: MapDevices) {
    this.count = places.id.length
    this.version = places.version
    this.ids = places.id
    this.kinds = places.kinds
    this.kind = Uint16Array.from(places.kind)
    this.siteRow = Uint32Array.from(places.site)
    this.siteIds = places.sites
    this.lon = Float64Array.from(places.lon)
    this.lat = Float64Array.from(places.lat)
    this.rank = new Uint8Array(this.count)
    this.active = new Uint16Array(this.count)
    this.unacked = new Uint16Array(this.count)
    this.rows = new Map(places.id.map((id, row) => [id, row]))
    this.spread()
  }

  /** Longitude and latitude, degrees. */
  at(row: number): [number, number] {
    return [this.lon[row] ?? 0, this.lat[row] ?? 0]
  }

  row(id: string): number | undefined {
    return this.rows.get(id)
  }

  site(row: number): string {
    return this.siteIds[this.siteRow[row] ?? 0] ?? ''
  }

  /** The middle of a site's devices; null where it has none. */
  centre(site: string): [number, number] | null {
    const wanted = this.siteIds.indexOf(site)
    let [n, lon, lat] = [0, 0, 0]
    for (let row = 0; row < this.count; row++) {
      if (this.siteRow[row] !== wanted) continue
      n += 1
      lon += this.lon[row] ?? 0
      lat += this.lat[row] ?? 0
    }
    return n ? [lon / n, lat / n] : null
  }

  /** Take the present marks; return the rows that look different now. */
  apply(marks: MapMarks): number[] {
    const changed: number[] = []
    const named = new Set<number>()
    const set = (row: number, rank: number, active: number, unacked: number) => {
      if (this.rank[row] === rank && this.active[row] === active && this.unacked[row] === unacked) return
      this.rank[row] = rank
      this.active[row] = active
      this.unacked[row] = unacked
      changed.push(row)
    }
    marks.id.forEach((id, index) => {
      const row = this.rows.get(id)
      if (row === undefined) return
      named.add(row)
      set(row, rankOf((marks.state[index] ?? 0), (marks.worst[index] ?? 0)), (marks.active[index] ?? 0), (marks.unacked[index] ?? 0))
    })
    for (const row of this.named) if (!named.has(row)) set(row, 0, 0, 0)
    this.named = named
    return changed
  }

  /** Devices at one place stand on a sunflower around it, 14 m apart, so that each can be picked when zoomed in. */
  private spread(): void {
    const taken = new Map<string, number>()
    for (let row = 0; row < this.count; row++) {
      const key = `${this.lon[row]},${this.lat[row]}`
      const place = taken.get(key) ?? 0
      taken.set(key, place + 1)
      if (!place) continue
      const reach = 14 * Math.sqrt(place) * METRE_DEG
      const lat = (this.lat[row] ?? 0)
      this.lat[row] = lat + reach * Math.sin(place * GOLDEN)
      this.lon[row] = (this.lon[row] ?? 0) + (reach * Math.cos(place * GOLDEN)) / Math.cos((lat * Math.PI) / 180)
    }
  }
}
