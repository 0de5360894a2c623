import { words } from '../words'

export default words(
  {
    needed: '必填。', taken: '名称已被使用，请换一个。', url: '请写成 https://主机/路径', urlSecret: '口令不要写在地址里，请写成密钥并在请求头中引用。', mail: '请写成 name@city.example', receiverMail: '至少一个邮箱地址，例如 name@city.example', receiverSms: '至少一个号码，只含数字，可以 + 开头，例如 +8613800000000', channel: '请选择渠道。', target: '至少通知一处。', json: '不是 JSON。占位符要写在引号里，例如 "{example}"', rising: '每一步都要晚于前一步。', event: '至少选择一项。', hours: '请写明起止时间。', secret: '已引用但还没有设置。',
  },
  {
    needed: 'Needed.', taken: 'The name is taken; choose another one.', url: 'Write https://host/path', urlSecret: 'No password in the address: make it a secret, and use it in a header.', mail: 'Write name@city.example', receiverMail: 'At least one address, such as name@city.example', receiverSms: 'At least one number: digits, with a + before them or not, such as +8613800000000', channel: 'Choose a channel.', target: 'Tell somebody.', json: 'This is not JSON. Places go into quotes, such as "{example}"', rising: 'Each step later than the one before.', event: 'Choose at least one.', hours: 'Say from when until when.', secret: 'Used, and not set yet.',
  },
)
