/** Where Naive UI puts its styles: into a sheet of ours, since the page's policy takes no `<style>` elements.
 *
 * It writes each component's styles into a `<style>` of a parent that it is given (`styleMountTarget`). This one stands
 * in no document, so the browser reads none of them; their rules go by script (CSSOM) into `kit.css`, which stands
 * before every other sheet of the page: what a component of ours says of Naive UI's counts, as it should. The last
 * style goes first, as Naive UI orders them.
 */
const kit = document.querySelector<HTMLLinkElement>('link[href="/kit.css"]')?.sheet

/** The rules of a sheet as they were written: put back together by the browser, a `var()` in a shorthand gets lost. */
function rules(text: string): string[] {
  const found: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) {
      found.push(text.slice(start, at + 1))
      start = at + 1
    }
  }
  return found
}

function adopt(style: Node): void {
  let place = 0
  for (const rule of rules(style.textContent ?? '')) {
    try {
      kit?.insertRule(rule, place++)
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      place-- // another browser's pseudo-element; a `<style>` would pass over it, too
    }
  }
}

function makeTarget(): DocumentFragment {
  const target = document.createDocumentFragment()
  const insert = target.insertBefore.bind(target)
  target.insertBefore = <T extends Node>(style: T, before: Node | null): T => {
    adopt(style)
    return insert(style, before)
  }
  return target
}

export const styleTarget = makeTarget()
