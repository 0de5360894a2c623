/** Words of alarm-system health. */
import { words } from '../words'

export default words(
  {
    period: { day: '24 小时', week: '7 天', month: '30 天', quarter: '90 天' }, periodLabel: '时段', positions: '{n} 个席位', calls: '{n} 次报警', floods: '{n} 次泛滥', target: '目标不超过 {n}', nothing: '没有数据', mark: { good: '良好', fair: '可接受', poor: '不良' },
    figure: { rate: '平均报警率', peak: '最高 10 分钟', slots_above: '超过 10 条的时段', flood: '处于泛滥的时间', chattering: '抖动报警', fleeting: '瞬时报警', stale: '陈旧报警', standing: '常驻报警', top10: '前十名占比' },
    says: { rate: '每席位每 10 分钟', peak: '每席位一个时段内的条数', slots_above: '10 分钟时段的比例', flood: '10 分钟内超过 10 条起，少于 5 条止', chattering: '5 分钟内变化超过 5 次的报警数', fleeting: '不足 10 秒且 60 秒内未再现', stale: '持续活动超过 24 小时', standing: '每席位同时活动的平均数', top10: '最频繁的十个报警占全部的比例' },
    priorities: '级别分布与响应', count: '次数', share: '占比', aim: '目标', judged: '评价', ack: '确认 中位/90%', back: '恢复 中位/90%', offenders: '最频繁的十个报警', noOffenders: '这个时段没有报警',
  },
  {
    period: { day: '24 hours', week: '7 days', month: '30 days', quarter: '90 days' }, periodLabel: 'Period', positions: '{n} position(s)', calls: '{n} calls', floods: '{n} flood(s)', target: 'target: at most {n}', nothing: 'no data', mark: { good: 'Good', fair: 'Fair', poor: 'Poor' },
    figure: { rate: 'Average rate', peak: 'Peak in 10 minutes', slots_above: 'Slots with more than 10', flood: 'Time in flood', chattering: 'Chattering alarms', fleeting: 'Fleeting alarms', stale: 'Stale alarms', standing: 'Standing alarms', top10: 'Share of the top ten' },
    says: { rate: 'per position and 10 minutes', peak: 'calls per position in one slot', slots_above: 'of all ten-minute slots', flood: 'from more than 10 in 10 minutes until fewer than 5', chattering: 'more than 5 changes within 5 minutes', fleeting: 'under 10 s and not again within 60 s', stale: 'active for more than 24 hours', standing: 'active at one time per position, on average', top10: 'of all calls, by the ten most frequent alarms' },
    priorities: 'Priorities and answers', count: 'Calls', share: 'Share', aim: 'Target', judged: 'Judged', ack: 'Ack. median / 90 %', back: 'Return median / 90 %', offenders: 'The ten most frequent alarms', noOffenders: 'No alarms in this period',
  },
)
