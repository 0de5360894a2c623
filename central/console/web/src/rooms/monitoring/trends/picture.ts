/** A drawing with its span above and its legend below, as one PNG. */
const LINE = 40
const PAD = 28

export async function picture(drawn: HTMLCanvasElement, title: string, legend: readonly { colour: string; text: string }[]): Promise<Blob> {
  const canvas = document.createElement('canvas')
  canvas.width = drawn.width
  canvas.height = drawn.height + LINE + PAD + LINE * legend.length
  const pen = canvas.getContext('2d')
  if (!pen) throw new Error('this browser has no 2D canvas')
  pen.fillStyle = '#0b1320'
  pen.fillRect(0, 0, canvas.width, canvas.height)
  pen.drawImage(drawn, 0, LINE + PAD / 2)
  pen.font = `24px ${getComputedStyle(document.body).fontFamily}`
  pen.fillStyle = '#e8eff9'
  pen.fillText(title, PAD, LINE)
  legend.forEach((entry, i) => {
    const y = drawn.height + LINE + PAD + LINE * i + 20
    pen.fillStyle = entry.colour
    pen.fillRect(PAD, y - 11, 32, 6)
    pen.fillStyle = '#e8eff9'
    pen.fillText(entry.text, PAD + 46, y)
  })
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be made'))), 'image/png'))
}
