/** Registers as people paste them: decimal, 0x…, or blocks of four hexadecimal digits. */

export interface Pasted {
  registers: number[]
  /** The first word that is no register. */
  bad: string | null
}

/** A text with a letter a–f, or in which every word has four digits and one begins with 0, is hexadecimal throughout. */
export function registersOf(text: string): Pasted {
  const words = text.split(/[\s,;[\]()|]+/).filter(Boolean)
  const plain = words.filter((word) => !/^0x/i.test(word))
  const hexadecimal = plain.some((word) => /^[0-9a-f]{1,4}$/i.test(word) && /[a-f]/i.test(word)) || (plain.length > 0 && plain.every((word) => /^\d{4}$/.test(word)) && plain.some((word) => word.startsWith('0')))
  const registers: number[] = []
  for (const word of words) {
    const isHex = /^0x[0-9a-f]{1,4}$/i.test(word) || (hexadecimal && /^[0-9a-f]{1,4}$/i.test(word))
    const value = isHex ? parseInt(word.replace(/^0x/i, ''), 16) : /^-?\d+$/.test(word) ? Number(word) : NaN
    // Some tools print signed words: -1 is 65535.
    const register = value < 0 && value >= -32768 ? value + 65536 : value
    if (!(register >= 0 && register <= 0xffff)) return { registers, bad: word }
    registers.push(register)
  }
  return { registers, bad: null }
}
