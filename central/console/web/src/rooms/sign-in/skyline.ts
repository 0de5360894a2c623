/** The buildings of the sign-in picture: always the same city, grown from one seed. */

export interface Building {
  x: number
  width: number
  height: number
  roof: 'flat' | 'step' | 'spire' | 'slope'
  windows: { x: number; y: number; delay: number; lit: boolean }[]
}

/** Mulberry32: a small generator that gives the same city on every machine. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Return a row of buildings over `width`, higher towards `centre`. */
export function row(seed: number, width: number, centre: number, low: number, high: number, windowed: boolean): Building[] {
  const random = generator(seed)
  const roofs = ['flat', 'flat', 'step', 'spire', 'slope'] as const
  const buildings: Building[] = []
  let x = -20
  while (x < width + 20) {
    const w = 26 + Math.round(random() * 46)
    const nearness = Math.exp(-(((x - centre) / (width * 0.3)) ** 2))
    const height = Math.round(low + random() * (high - low) * (0.25 + 0.75 * nearness))
    const roof = roofs[Math.floor(random() * roofs.length)] ?? 'flat'
    const windows: Building['windows'] = []
    if (windowed) {
      for (let wy = 10; wy < height - 10; wy += 11) {
        for (let wx = 6; wx < w - 7; wx += 9) {
          if (random() < 0.34) windows.push({ x: wx, y: wy, delay: Math.round(random() * 140) / 10, lit: random() < 0.12 })
        }
      }
    }
    buildings.push({ x, width: w, height, roof, windows })
    x += w + Math.round(random() * 10) - 2
  }
  return buildings
}

/** Outline of a building that stands on `ground`. */
export function outline(building: Building, ground: number): string {
  const { x, width: w, height: h } = building
  const top = ground - h
  switch (building.roof) {
    case 'step':
      return `M${x} ${ground}V${top + 14}h${w * 0.2}v-14h${w * 0.6}v14h${w * 0.2}V${ground}z`
    case 'spire':
      return `M${x} ${ground}V${top}h${w / 2 - 1.5}v-26h3v26h${w / 2 - 1.5}V${ground}z`
    case 'slope':
      return `M${x} ${ground}V${top + 12}l${w} -12V${ground}z`
    default:
      return `M${x} ${ground}V${top}h${w}V${ground}z`
  }
}
