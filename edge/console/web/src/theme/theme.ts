/** Light or dark: light until somebody says otherwise, whatever the phone prefers: the sun shines outside. */
import { ref } from 'vue'

const STORE = 'citynerve.theme'
export const dark = ref(localStorage.getItem(STORE) === 'dark')

function show(): void {
  document.documentElement.dataset.theme = dark.value ? 'dark' : 'light'
  document.querySelector('meta[name=theme-color]')?.setAttribute('content', dark.value ? '#0f1826' : '#ffffff')
}
show()

export function switchTheme(): void {
  dark.value = !dark.value
  localStorage.setItem(STORE, dark.value ? 'dark' : 'light')
  show()
}
