/** What an entry of the audit trail names, `user li.na` or `token 17 of wang`, in the reader's language. */
import { useWords } from '@/i18n'

export function useThings() {
  const { word } = useWords()
  const thing = (what: string) => {
    const [kind = '', ...rest] = what.split(' ')
    return [word('audit.thing', kind), rest.join(' ').replace(/^of /, '').replace(' of ', ' · ')].join(' ').trim()
  }
  return { thing }
}
