import { words } from '../words'

export default words(
  { label: '搜索全市', placeholder: '搜索站点、设备、测点…', short: '搜索', hint: '名称、编号、标签、地点、部门均可；多个词须同时符合。', none: '没有找到“{q}”', noneHint: '试试更短的词，或站点名称。', total: '共 {n}', keys: '↑↓ 选择 · Enter 打开 · Esc 关闭', failed: '搜索暂不可用，请稍后再试。' },
  { label: 'Search the city', placeholder: 'Search sites, devices, points…', short: 'Search', hint: 'Names, codes, tags, places, departments; every word must fit.', none: 'Nothing found for "{q}"', noneHint: 'Try a shorter word, or the name of a site.', total: '{n} in all', keys: '↑↓ choose · Enter opens · Esc closes', failed: 'Search is not available at the moment; try again.' },
)
