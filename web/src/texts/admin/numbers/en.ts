export const en = {
  title: 'Numbers', lead: 'Which queue a dialled number leads to.', add: 'New number', empty: 'No numbers yet: calls that come in have nowhere to go.',
  number: 'Number', hint: 'As the trunk sends it, best with + and the country: +358942450001. “*” is any other.', queueMissing: 'Choose a queue.',
  names: { queue: 'Queue', language: 'Language of prompts' }, asQueue: 'As the queue',
}

export type Words = typeof en
