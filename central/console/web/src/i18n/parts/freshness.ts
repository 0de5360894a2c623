import { words } from '../words'

export default words(
  { fresh: '按周期更新', late: '略有延迟', stale: '陈旧：已超过三个周期', silent: '中断：已超过十个周期', none: '从未有数据' },
  { fresh: 'in time', late: 'a little late', stale: 'stale: more than three periods old', silent: 'silent: more than ten periods old', none: 'never read' },
)
