/**
 * The map's signs, drawn when the map first asks for them by name: no sprite, no glyphs, so that they look the
 * same over any style. Names: `dv-<rank>-<hollow 0|1>`, `cl-<rank>-<count>-<alarmed>`, `offline`, `case-<count>`.
 */
import type { Map as MapView } from 'maplibre-gl'
import { COLOURS, type Rank } from './look'

const RATIO = 2
const FONT = "600 {n}px 'Segoe UI', 'PingFang SC', 'Noto Sans CJK SC', sans-serif"
const DARK = '#0a1526'

type Draw = (pen: CanvasRenderingContext2D, middle: number) => void

function sign(size: number, draw: Draw): ImageData {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size * RATIO
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('this browser draws no 2d canvas')
  pen.scale(RATIO, RATIO)
  pen.lineJoin = 'round'
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  draw(pen, size / 2)
  return pen.getImageData(0, 0, canvas.width, canvas.height)
}

function write(pen: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, colour: string): void {
  pen.font = FONT.replace('{n}', String(size))
  pen.fillStyle = colour
  pen.fillText(text, x, y + 0.5)
}

function disc(pen: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  pen.beginPath()
  pen.arc(x, y, radius, 0, 7)
}

const SHAPES: Record<number, string> = { 6: 'M8 2h8l6 6v8l-6 6H8l-6-6V8z', 5: 'M12 2l11 20H1z', 4: 'M12 1l11 11-11 11L1 12z', 3: 'M12 2a10 10 0 100 20 10 10 0 000-20z' }

function device(rank: Rank, hollow: boolean): ImageData {
  const colour = COLOURS[rank]
  const shape = SHAPES[rank]
  if (!shape) {
    return sign(18, (pen, m) => {
      pen.strokeStyle = colour
      pen.lineWidth = 2
      if (rank === 1) pen.setLineDash([3, 2.6])
      disc(pen, m, m, 5.5)
      pen.fillStyle = DARK
      pen.fill()
      pen.stroke()
      if (rank === 0) {
        disc(pen, m, m, 2.2)
        pen.fillStyle = colour
        pen.fill()
      } else if (rank === 2) {
        pen.beginPath()
        pen.moveTo(m - 2.5, m - 2.5)
        pen.lineTo(m + 2.5, m + 2.5)
        pen.moveTo(m + 2.5, m - 2.5)
        pen.lineTo(m - 2.5, m + 2.5)
        pen.stroke()
      }
    })
  }
  return sign(30, (pen) => {
    pen.translate(3, 3)
    const path = new Path2D(shape)
    pen.fillStyle = hollow ? DARK : colour
    pen.strokeStyle = colour
    pen.lineWidth = 2
    pen.fill(path)
    pen.stroke(path)
    write(pen, String(7 - rank), 12, rank === 5 ? 15 : 12, 13, hollow ? colour : '#0a0f18')
  })
}

function cluster(rank: Rank, count: string, alarmed: string): ImageData {
  const calm = rank < 3
  const reach = count.length > 3 ? 23 : count.length > 2 ? 20 : count.length > 1 ? 17 : 15
  return sign(60, (pen, m) => {
    disc(pen, m, m, reach + 4)
    pen.fillStyle = `${COLOURS[rank]}${calm ? '1a' : '38'}`
    pen.fill()
    disc(pen, m, m, reach)
    pen.fillStyle = DARK
    pen.fill()
    pen.strokeStyle = COLOURS[rank]
    pen.lineWidth = calm ? 1.6 : 3
    pen.stroke()
    write(pen, count, m, m, count.length > 3 ? 12 : 13, '#e8eff9')
    if (alarmed === '0') return
    const x = m + reach * 0.72
    const y = m - reach * 0.72
    const wide = Math.max(8, 3.6 * alarmed.length + 4)
    pen.beginPath()
    pen.roundRect(x - wide, y - 8, wide * 2, 16, 8)
    pen.fillStyle = COLOURS[rank]
    pen.fill()
    write(pen, alarmed, x, y, 11, '#0a0f18')
  })
}

function offline(): ImageData {
  return sign(76, (pen, m) => {
    disc(pen, m, m, 35)
    pen.fillStyle = 'rgba(126, 142, 168, 0.16)'
    pen.fill()
    pen.save()
    pen.clip()
    pen.strokeStyle = 'rgba(163, 178, 202, 0.55)'
    pen.lineWidth = 1.6
    for (let x = -76; x < 76; x += 8) {
      pen.beginPath()
      pen.moveTo(x, 76)
      pen.lineTo(x + 76, 0)
      pen.stroke()
    }
    pen.restore()
    pen.strokeStyle = '#8ea0ba'
    pen.setLineDash([5, 4])
    pen.lineWidth = 1.4
    disc(pen, m, m, 35)
    pen.stroke()
  })
}

function cases(count: string): ImageData {
  return sign(24, (pen, m) => {
    pen.beginPath()
    pen.roundRect(2, 2, 20, 20, 5)
    pen.fillStyle = '#e8eff9'
    pen.fill()
    write(pen, count, m, m, 12, '#0a1526')
  })
}

/** Draw what the map misses, for as long as it lives. */
export function drawSigns(map: MapView): void {
  map.setMissingStyleImageResolver((id) => {
    if (map.hasImage(id)) return
    const [kind, first = '', second = '', third = ''] = id.split('-')
    const image =
      kind === 'dv' ? device(Number(first) as Rank, second === '1') : kind === 'cl' ? cluster(Number(first) as Rank, second, third) : kind === 'offline' ? offline() : kind === 'case' ? cases(first) : null
    if (image) map.addImage(id, image, { pixelRatio: RATIO })
  })
}
