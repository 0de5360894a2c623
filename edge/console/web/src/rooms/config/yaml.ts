/** What the form needs of the gateway file's text: its keys, and a place for one more device. */

/** The lines of a section at the left margin, as [first, last + 1] in `lines`; null where there is none. */
function section(lines: string[], name: string): [number, number] | null {
  const head = lines.findIndex((line) => new RegExp(`^${name}\\s*:`).test(line))
  if (head < 0) return null
  let end = head + 1
  while (end < lines.length && !/^[A-Za-z_"']/.test(lines[end] ?? '')) end += 1
  while (end > head + 1 && !(lines[end - 1] ?? '').trim()) end -= 1
  return [head, end]
}

/** Keys of a section's entries, in block (`- key: a`) or flow form (`- {key: a, …}`), with their protocol. */
export function entries(text: string, name: string): { key: string; protocol: string }[] {
  const lines = text.split('\n')
  const place = section(lines, name)
  if (!place) return []
  return lines
    .slice(...place)
    .join('\n')
    .split(/^\s*-\s/m)
    .slice(1)
    .map((entry) => ({ key: /(?:^|[\s{,])key\s*:\s*["']?([\w-]+)/.exec(entry)?.[1] ?? '', protocol: /protocol\s*:\s*["']?([\w-]+)/.exec(entry)?.[1] ?? '' }))
    .filter((entry) => entry.key)
}

export interface NewDevice {
  key: string
  zh: string
  en: string
  site: string
  connection: string
  profile: string
  params: string
}

/** A name as a YAML scalar that stays text whatever is in it. */
const quoted = (text: string) => JSON.stringify(text)

/** Return the text with one more device at the end of `devices:`, and the line where it stands (from 1). */
export function withDevice(text: string, device: NewDevice): { text: string; line: number } {
  const lines = text.replace(/\n+$/, '').split('\n')
  const place = section(lines, 'devices')
  const block = place ? lines.slice(...place) : []
  const indent = block.map((line) => /^(\s*)-\s/.exec(line)?.[1]).find((found) => found !== undefined) ?? '  '
  const entry = [
    `- key: ${device.key}`,
    `  site: ${device.site}`,
    `  name: {zh: ${quoted(device.zh)}, en: ${quoted(device.en)}}`,
    `  connection: ${device.connection}`,
    `  profile: ${device.profile}`,
    ...(device.params ? [`  params: {${device.params}}`] : []),
  ].map((line) => indent + line)
  if (!place) lines.push('devices:', ...entry)
  else if (/^devices\s*:\s*\[\s*\]/.test(lines[place[0]] ?? '')) lines.splice(place[0], 1, 'devices:', ...entry)
  else lines.splice(place[1], 0, ...entry)
  return { text: `${lines.join('\n')}\n`, line: lines.indexOf(entry[0] ?? '') + 1 }
}
