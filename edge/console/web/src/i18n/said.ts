/**
 * The gateway tells its reasons in English, as its command line does; here the usual ones are said in 中文.
 * A sentence that no pattern knows stays as it was told: the right words in the wrong language.
 */
import { useWords } from './index'

const BOOK: readonly [RegExp, string][] = [
  // What became of a configuration, and how the memory is.
  [/^everything is well so far$/, '目前一切正常，稳定一段时间后自动保留。'],
  [/^everything that was well before is well$/, '原本正常的都恢复正常'],
  [/^confirmed by a person$/, '由人确认'],
  [/^taken back by (.+)$/, '由 $1 回退'],
  [/^back to version (\d+)$/, '回退到版本 $1'],
  [/^the centre has not answered since$/, '此后中心没有应答'],
  [/^the centre has not answered since; (\d+) devices? that w\w+ well before did not come back: (.+)$/, '此后中心没有应答；$1 台原本正常的设备没有恢复：$2'],
  [/^(\d+) devices? that w\w+ well before did not come back: (.+)$/, '$1 台原本正常的设备没有恢复：$2'],
  [/^the disk has no room to begin the log; readings wait in memory$/, '磁盘没有空间，读数暂存在内存中'],
  [/^there is little room; old readings are thinned or wait in memory$/, '空间不足，旧读数被抽稀或暂存在内存中'],
  [/^a damaged file is kept as (.+)$/, '损坏的文件已另存为 $1'],
  [/^too many wrong passwords; try again in (\d+) s$/, '请在 $1 秒后再试'],

  // Why raw registers may mean something.
  [/^a usual size, few digits$/, '大小常见，位数少'],
  [/^a usual size$/, '大小常见'],
  [/^odd size$/, '大小不寻常'],
  [/^small for its type$/, '相对类型较小'],
  [/^any number$/, '任意数都可能'],
  [/^often means: no value$/, '常表示“无值”'],
  [/^every digit is decimal$/, '每一位都是十进制'],
  [/^zero in every type$/, '任何类型都是零'],
  [/^text$/, '文字'],
  [/^flags$/, '按位标志'],
  [/^a date-time, field by field$/, '逐字段的日期时间'],
  [/^a date-time$/, '日期时间'],
  [/^known as (.+), in its range$/, '型号库中的测点，在量程内'],
  [/^known as (.+)$/, '型号库中的测点'],
  [/^zero, as (.+) may be$/, '零，该测点可以为零'],
  [/^known there, but says: no value$/, '型号库中的测点，但表示“无值”'],
  [/^outside the range of (.+)$/, '超出该测点的量程'],

  // Authorities and revocation lists, and why a file of one was not taken.
  [/^SHA-256 (\w+), subject .+, valid (\S+) to (\S+) UTC$/, 'SHA-256 $1，有效期 $2 至 $3 UTC'],
  [/^(\d+) revoked, of (\S+) UTC, the next one was promised for (\S+) UTC$/, '吊销 $1 份，$2 UTC 签发，下一份应于 $3 UTC 发布'],
  [/^(\d+) revoked, of (\S+) UTC$/, '吊销 $1 份，$2 UTC 签发'],
  [/^it is larger than (\d+) bytes$/, '文件超过 $1 字节'],
  [/^it holds neither a certificate nor a revocation list in PEM or DER$/, '文件里既没有证书，也没有吊销列表（PEM 或 DER 格式）'],
  [/^(.+) is no authority \(.+$/, '$1 不是签发机构（basicConstraints 未设 CA）。服务器自身的证书请核对指纹后信任'],
  [/^the authority is valid only from (.+) UTC on, and here it is (.+) UTC$/, '该机构的证书 $1 UTC 才生效，本机时间为 $2 UTC'],
  [/^the authority has ended on (.+) UTC, and here it is (.+) UTC$/, '该机构的证书已于 $1 UTC 到期，本机时间为 $2 UTC'],
  [/^this revocation list is signed by (.+), which is no trusted authority here; .+$/, '该吊销列表由 $1 签发，本机尚未信任该机构，请先选择其证书'],
  [/^this revocation list is of (.+) UTC, and a newer one of (.+) UTC is there$/, '该吊销列表签发于 $1 UTC，已有更新的一份（$2 UTC）'],

  // Mistakes of a configuration: what is wrong, what was expected, how to repair it.
  [/^'(.+)' is missing$/, '缺少 “$1”'],
  [/^'(.+)' is not a setting$/, '没有 “$1” 这个设置'],
  [/^(.+) is not known here$/, '$1 在此处不可用'],
  [/^(.+) has a form that cannot be used$/, '$1 的写法不能用'],
  [/^(.+) is no value for '(.+)'$/, '$1 不能作 “$2” 的值'],
  [/^(.+) cannot be used for '(.+)'$/, '$1 不能用于 “$2”'],
  [/^site '(.+)' does not exist$/, '没有站点 “$1”'],
  [/^connection '(.+)' does not exist$/, '没有线路 “$1”'],
  [/^profile '(.+)' does not exist$/, '没有型号 “$1”'],
  [/^point '(.+)' does not exist( in profile '(.+)')?$/, '没有测点 “$1”'],
  [/^(\w+) '(.+)' does not exist$/, '$1 “$2” 不存在'],
  [/^device '(.+)' exists already in line (\d+)$/, '设备 “$1” 在第 $2 行已经有了'],
  [/^site '(.+)' exists already in line (\d+)$/, '站点 “$1” 在第 $2 行已经有了'],
  [/^connection '(.+)' exists already in line (\d+)$/, '线路 “$1” 在第 $2 行已经有了'],
  [/^(\w+) '(.+)' exists already in line (\d+)$/, '$1 “$2” 在第 $3 行已经有了'],
  [/^key '(.+)' is written twice, first in line (\d+)$/, '“$1” 写了两次，第一次在第 $2 行'],
  [/^is not YAML: (.+)$/s, '不是正确的 YAML：$1'],
  [/^is empty$/, '文件是空的'],
  [/^connection '(.+)' speaks (\w+), but profile '(.+)' is for (\w+)$/, '线路 “$1” 用 $2 协议，而型号 “$3” 需要 $4'],
  [/^alarm '(.+)' is listed twice$/, '报警 “$1” 写了两次'],
  [/^alarm '(.+)' has no `(.+)`$/, '报警 “$1” 缺少 “$2”'],
  [/^alarm '(.+)': limit (.+) is outside the point's (\w+) (.+)$/, '报警 “$1” 的限值 $2 超出测点的 $3 $4'],
  [/^there is no file '(.+)'$/, '没有文件 “$1”'],
  [/^periods are out of order$/, '采集周期的次序不对'],
  [/^a known setting$/, '已知的设置'],
  [/^a whole number$/, '整数'],
  [/^a number$/, '数字'],
  [/^true or false$/, 'true 或 false'],
  [/^a map of settings$|^a map$/, '一组 “键: 值”'],
  [/^a list$/, '列表'],
  [/^a URL$|^a URL such as (.+)$/, '网址，如 http://10.0.0.5:8600'],
  [/^a key of small letters, digits, '-' and '_'$/, '由小写字母、数字、- 和 _ 组成的标识'],
  [/^one of (.+)$/, '其中之一：$1'],
  [/^a value for '(.+)'$/, '“$1” 的值'],
  [/^a value greater than or equal to (.+)$/, '不小于 $1 的值'],
  [/^a value less than or equal to (.+)$/, '不大于 $1 的值'],
  [/^a value greater than (.+)$/, '大于 $1 的值'],
  [/^a value less than (.+)$/, '小于 $1 的值'],
  [/^the key of a (\w+)$/, '已有的 $1 标识'],
  [/^the key of a point$/, '已有的测点标识'],
  [/^a (\w+) connection$/, '$1 协议的线路'],
  [/^each key once$/, '每个键只写一次'],
  [/^a consistent record$/, '前后一致的内容'],
  [/^a YAML file in UTF-8$/, 'UTF-8 编码的 YAML 文件'],
  [/^did you mean '(.+)'\?$/, '是不是 “$1”？'],
  [/^use one of: (.+)$/, '可用：$1'],
  [/^there is none yet; add one$/, '还没有，请先添加一个'],
  [/^add `(.+)` here$/, '在此处加上 $1'],
  [/^write '(.+)'$/, '写成 “$1”'],
  [/^write it like (.+)$/, '写成 $1 这样'],
  [/^write a whole number$/, '写一个整数'],
  [/^write a number$/, '写一个数字'],
  [/^write text$/, '写文字'],
  [/^write true or false$/, '写 true 或 false'],
  [/^write a list$/, '写成列表'],
  [/^write a map(?: of settings)?$/, '写成一组 “键: 值”'],
  [/^give a value greater than or equal to (.+)$/, '改为不小于 $1 的值'],
  [/^give a value less than or equal to (.+)$/, '改为不大于 $1 的值'],
  [/^give a value greater than (.+)$/, '改为大于 $1 的值'],
  [/^give a value less than (.+)$/, '改为小于 $1 的值'],
  [/^give one of the two another key$|^give it another key$/, '换一个标识'],
  [/^join the two entries$/, '把两处合并'],
  [/^remove it$/, '删掉它'],
  [/^correct it$/, '请改正'],
  [/^choose a key$/, '起一个标识'],
  [/^name another connection or another profile$/, '换一条线路，或换一个型号'],
  [/^indent with spaces, close every quote and bracket$/, '用空格缩进，引号和括号要成对'],
  [/^make fast <= normal <= slow$/, '使 fast ≤ normal ≤ slow'],
  [/^swap them$/, '把两者对调'],
]

/** What stands before the reason proper; the first is shown beside it anyway. */
const SHOWN = /^(?:on probation for another .*?|the file was not taken): /
const LEADS: readonly [RegExp, string][] = [
  [SHOWN, ''],
  [/^version (\d+) was taken back: /, '版本 $1 被收回：'],
]

function inChinese(text: string): string {
  const known = BOOK.find(([pattern]) => pattern.test(text))
  if (known) return text.replace(known[0], known[1])
  for (const [pattern, words] of LEADS) {
    const lead = pattern.exec(text)?.[0]
    if (lead) return lead.replace(pattern, words) + inChinese(text.slice(lead.length))
  }
  return text.includes('; ') ? text.split('; ').map(inChinese).join('；') : text
}

/** Return how to say a sentence of the gateway in the chosen language. */
export function useSaid() {
  const { locale } = useWords()
  return (text: string) => (locale.value === 'zh' ? inChinese(text) : text.replace(SHOWN, ''))
}
