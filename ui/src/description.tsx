/** What is said of a file: tags, description, category; each change is kept at once. */
import { useEffect, useState } from 'preact/hooks'
import { api, categories, type Category, type Description, type FileInfo } from './api.ts'
import { fieldText } from './format.ts'
import { attempt, refresh, search } from './state.ts'
import { strings } from './strings.ts'

export function Said({ info, onChange }: { info: FileInfo; onChange: (info: FileInfo) => void }) {
  const say = (said: Description): void =>
    void attempt(async () => {
      onChange(await api.describe(info.path, said))
      await refresh()
    })
  return (
    <>
      <h3>{strings.tags}</h3>
      <Tags tags={info.tags} say={say} />
      <About key={info.path} text={info.description} say={say} />
      <label>
        {strings.category}{' '}
        <select
          value={info.category}
          onChange={(event) => say({ category: event.currentTarget.value as Category })}
        >
          {categories.map((category) => (
            <option key={category} value={category}>
              {strings.categories[category]}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={info.priority}
          onChange={(event) => say({ priority: event.currentTarget.checked })}
        />{' '}
        {strings.priority}
      </label>
    </>
  )
}

type Say = (said: Description) => void

function Tags({ tags, say }: { tags: readonly string[]; say: Say }) {
  const add = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const addTags = fieldText(new FormData(form), 'tag')
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean)
    form.reset()
    if (addTags.length > 0) say({ addTags })
  }
  return (
    <>
      {tags.length > 0 && (
        <ul class="chips">
          {tags.map((tag) => (
            <li key={tag} class="pair">
              <button class="chip" onClick={() => search({ words: '', tag })}>
                {tag}
              </button>
              <button
                class="chip"
                aria-label={strings.removeTag(tag)}
                onClick={() => say({ removeTags: [tag] })}
              >
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      <form class="tag-form" onSubmit={add}>
        <input name="tag" maxLength={120} aria-label={strings.addTag} placeholder={strings.addTag} />
        <button aria-label={strings.addTag}>+</button>
      </form>
    </>
  )
}

/** Saved by leaving the field; who goes to the button leaves it. */
function About({ text, say }: { text: string; say: Say }) {
  const [draft, setDraft] = useState(text)
  useEffect(() => setDraft(text), [text])
  const save = (): void => {
    if (draft.trim() !== text) say({ description: draft.trim() })
  }
  return (
    <label>
      {strings.description}
      <textarea
        value={draft}
        maxLength={4000}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onBlur={save}
      />
      {draft.trim() !== text && <button type="button">{strings.save}</button>}
    </label>
  )
}
