/** The words of one part of the console, in both languages; the compiler sees that none is missing. */
export interface Words {
  [key: string]: string | Words
}

type Same<T> = { [K in keyof T]: T[K] extends string ? string : Same<T[K]> }

/** `export default words({ … }, { … })` in `i18n/parts/<part>.ts`: found as `t('<part>.key')`. */
export function words<const T extends Words>(zh: T, en: Same<T>): { zh: Words; en: Words } {
  return { zh, en: en as Words }
}
