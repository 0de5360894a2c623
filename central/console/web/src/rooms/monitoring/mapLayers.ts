/** Which layers somebody has switched on, kept in the browser. Kinds are kept as those that are off: new ones show. */
import { reactive, ref, watch } from 'vue'
import type { SpotLayer } from '@/parts/map/spots'

const KEY = 'citynerve.map.layers'

interface Kept {
  off: string[]
  spots: Partial<Record<SpotLayer, boolean>>
}

function kept(): Kept {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '') as Kept
  } catch {
    return { off: [], spots: {} } // nothing kept yet, or by a version that kept it otherwise
  }
}

export function useLayers() {
  const before = kept()
  const shown = reactive<Record<SpotLayer, boolean>>({ heat: false, offline: true, cases: true, ...before.spots })
  const hidden = ref<ReadonlySet<string>>(new Set(before.off))
  watch([shown, hidden], () => localStorage.setItem(KEY, JSON.stringify({ off: [...hidden.value], spots: shown } satisfies Kept)))
  return {
    shown,
    hidden,
    toggle: (layer: SpotLayer) => (shown[layer] = !shown[layer]),
    toggleKind: (kind: string) => {
      const next = new Set(hidden.value)
      if (!next.delete(kind)) next.add(kind)
      hidden.value = next
    },
    showKinds: (all: boolean, kinds: readonly string[]) => (hidden.value = new Set(all ? [] : kinds)),
  }
}
