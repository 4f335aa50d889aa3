/** One box over all files, and what it finds, with kinds and tags as chips. */
import { useEffect, useRef } from 'preact/hooks'
import { categories, type SearchQuery } from './api.ts'
import { EntryTable } from './files-view.tsx'
import { entries, go, loading, place, search, selected, totals } from './state.ts'
import { strings } from './strings.ts'

const typingMs = 120

/** The box in the head of the page; `/` leads to it, Escape out of it. */
export function SearchBox() {
  const box = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const here = place.value
  const words = here.view === 'search' ? here.query.words : ''
  useEffect(() => followSlash(box), [])
  useEffect(() => {
    // While somebody types, the box is ahead of the page.
    if (box.current !== null && document.activeElement !== box.current) box.current.value = words
  }, [words])
  const look = (text: string): void => search({ ...filtersOf(here), words: text.trim() })
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') openFirst()
    if (event.key !== 'Escape') return
    box.current!.value = ''
    box.current!.blur()
    search({ words: '' })
  }
  return (
    <div class="search" role="search">
      <input
        ref={box}
        type="search"
        aria-label={strings.search}
        placeholder={strings.searchHint}
        defaultValue={words}
        maxLength={200}
        onKeyDown={onKey}
        onInput={(event) => {
          const text = event.currentTarget.value
          clearTimeout(timer.current)
          timer.current = setTimeout(() => look(text), typingMs)
        }}
      />
    </div>
  )
}

function filtersOf(here: typeof place.value): Omit<SearchQuery, 'words'> {
  if (here.view !== 'search') return {}
  const { words: _, ...filters } = here.query
  return filters
}

function openFirst(): void {
  const [first] = entries.value
  if (place.value.view !== 'search' || first === undefined) return
  if (first.kind === 'folder') go({ view: 'files', path: first.path })
  else selected.value = first.path
}

function followSlash(box: { current: HTMLInputElement | null }): () => void {
  const onKey = (event: KeyboardEvent): void => {
    const at = event.target as HTMLElement
    if (event.key !== '/' || at.closest('input, textarea, select, dialog') !== null) return
    event.preventDefault()
    box.current?.select()
    box.current?.focus()
  }
  addEventListener('keydown', onKey)
  return () => removeEventListener('keydown', onKey)
}

export function SearchView({ query }: { query: SearchQuery }) {
  return (
    <section aria-label={strings.searchTitle}>
      <Filters query={query} />
      {entries.value.length === 0 && !loading.value ? (
        <p class="empty">{strings.noneFound}</p>
      ) : (
        <EntryTable whole />
      )}
    </section>
  )
}

function Filters({ query }: { query: SearchQuery }) {
  const counted = new Map(totals.value.map(({ category, files }) => [category, files]))
  const shown = categories.filter((category) => counted.has(category) || category === query.category)
  return (
    <div class="chips" role="group" aria-label={strings.filters}>
      {query.tag !== undefined && (
        <button
          class="chip"
          aria-pressed="true"
          aria-label={strings.removeFilter(query.tag)}
          onClick={() => search(without(query, 'tag'))}
        >
          {query.tag} <span aria-hidden="true">✕</span>
        </button>
      )}
      {shown.map((category) => (
        <button
          key={category}
          class="chip"
          aria-pressed={query.category === category ? 'true' : 'false'}
          onClick={() =>
            search(query.category === category ? without(query, 'category') : { ...query, category })
          }
        >
          {strings.categories[category]} <small>{counted.get(category) ?? 0}</small>
        </button>
      ))}
    </div>
  )
}

function without(query: SearchQuery, key: 'tag' | 'category'): SearchQuery {
  const { [key]: _, ...rest } = query
  return rest
}
