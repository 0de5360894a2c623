/** Where Naive UI puts its styles: into a sheet of ours, since the page's policy takes no `<style>` elements.
 *
 * It writes each component's styles into a `<style>` of a parent that it is given (`styleMountTarget`). This one stands
 * in no document, so the browser reads none of them; their rules go by script (CSSOM) into `kit.css`, which stands
 * before every other sheet of the page: what a component of ours says of Naive UI's counts, as it should. The last
 * style goes first, as Naive UI orders them.
 */
const kit = document.querySelector<HTMLLinkElement>('link[href="/kit.css"]')?.sheet

function adopt(style: Node): void {
  const read = new CSSStyleSheet()
  read.replaceSync(style.textContent ?? '')
  if (!kit) document.adoptedStyleSheets = [read, ...document.adoptedStyleSheets]
  else [...read.cssRules].forEach((rule, place) => kit.insertRule(rule.cssText, place))
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
