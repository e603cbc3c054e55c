defmodule Ambix.Native do
  @moduledoc false
  # The table of contents of the native library: one stub for each NIF. No logic.
  #
  # A NIF answers with an error where an argument does not fit, and raises nothing.

  @on_load :load
  @version Mix.Project.config()[:version]

  # A module whose loading fails is no module, and each call of it an error that says nothing. So what went wrong is kept, for
  # the first call to raise.
  def load do
    with {:error, sentence} <- load_library(), do: :persistent_term.put(__MODULE__, sentence)
    :ok
  end

  defp load_library do
    if System.get_env("AMBIX_SKIP_NIF") == "1",
      do:
        {:error, "Ambix's native library is not loaded (AMBIX_SKIP_NIF is set); unset it and run mix compile"},
      else: load_library(library())
  end

  defp load_library(path) do
    case :erlang.load_nif(String.to_charlist(Path.rootname(path)), @version) do
      :ok ->
        :ok

      {:error, {:load, _}} ->
        {:error,
         "Ambix's native library #{path} belongs to another version than #{@version}. " <>
           "Build it again: mix compile --force (or set AMBIX_NIF_PATH to a library of this version)"}

      {:error, {reason, text}} ->
        {:error,
         "Ambix's native library #{path} cannot be loaded (#{reason}: #{text}). " <>
           "Build it with: mix deps.compile ambix --force, or mix compile in Ambix's own folder"}
    end
  end

  defp library do
    extension = if match?({:win32, _}, :os.type()), do: ".dll", else: ".so"
    Path.join([:code.priv_dir(:ambix), "native", "ambix_native" <> extension])
  end

  # The library
  def nif_functions, do: missing()
  def features, do: missing()
  def error_kinds, do: missing()
  def live_resources, do: missing()
  def signal_interrupt(_on), do: missing()
  def signal_interrupted, do: missing()
  def panic_on_purpose(_text), do: missing()

  # Files that others have made, and their names
  def file_read(_path, _max_bytes), do: missing()
  def file_name(_path), do: missing()
  def file_path(_root, _name), do: missing()

  # Jobs
  def job_cancel(_job), do: missing()
  def job_wait(_reference, _milliseconds), do: missing()
  def job_hang(_reference, _lane, _milliseconds), do: missing()

  # Indexes
  def index_build(_reference, _root, _ceilings), do: missing()
  def index_open(_reference, _path, _root, _ceilings), do: missing()
  def index_update(_reference, _index, _paths, _seen), do: missing()
  def index_differences(_reference, _index), do: missing()
  def index_freshness(_index), do: missing()
  def index_follow(_index, _watch, _seen), do: missing()
  def index_observe(_reference, _index, _folders), do: missing()
  def index_save(_reference, _index, _path, _saving), do: missing()
  def index_embed(_reference, _index, _encoder, _cache), do: missing()
  def index_info(_index), do: missing()
  def index_counts(_index), do: missing()
  def index_diagnostics(_index), do: missing()
  def index_text(_index, _file), do: missing()
  def index_history_tip(_index), do: missing()
  def index_history(_index, _tip, _log), do: missing()
  def history_log, do: missing()
  def index_search(_index, _query, _wishes, _encoder), do: missing()
  def index_rerank(_ref, _index, _query, _wishes, _encoder, _reranker), do: missing()
  def index_search_all(_indexes, _query, _wishes), do: missing()
  def index_lookup(_index, _name, _kinds, _limit), do: missing()
  def index_grep(_reference, _index, _pattern, _options), do: missing()
  def index_context(_index, _query, _wishes, _encoder, _tokens_and_order, _model), do: missing()
  def count_tokens(_text), do: missing()
  def index_context_all(_named_indexes, _query, _wishes, _tokens_and_order, _model), do: missing()

  def index_snapshot(_index), do: missing()
  def index_chunks(_index, _first, _count), do: missing()
  def index_vectors(_reference, _index), do: missing()

  # Sandboxes
  def sandbox_filters, do: missing()
  def sandbox_files(_path), do: missing()

  # Watches
  def watch_start(_reference, _root, _options), do: missing()
  def watch_stop(_watch), do: missing()
  def watch_state(_watch), do: missing()

  # Graphs
  def graph_link_kinds, do: missing()
  def graph_find(_reference, _index, _symbol), do: missing()
  def graph_reach(_reference, _index, _symbol, _way, _depth, _kinds), do: missing()
  def graph_references(_reference, _index, _symbol), do: missing()
  def graph_implementations(_reference, _index, _symbol), do: missing()
  def graph_impact(_reference, _index, _path_or_symbol), do: missing()
  def graph_impact_of_lines(_reference, _index, _lines), do: missing()
  def graph_paths(_reference, _index, _from, _to, _kinds, _limit), do: missing()
  def graph_cycles(_reference, _index, _kinds, _phase), do: missing()
  def graph_dead(_reference, _index, _public, _tests, _keep), do: missing()
  def graph_communities(_reference, _index, _of, _kinds, _resolution, _seed), do: missing()
  def graph_rank(_reference, _index, _limit, _seeds), do: missing()
  def graph_neighbourhood(_reference, _index, _symbols, _tokens, _model), do: missing()
  def graph_count_edges(_reference, _index), do: missing()
  def graph_edges(_reference, _index, _guessed), do: missing()
  def graph_export(_reference, _index, _format, _part), do: missing()
  def graph_picture(_reference, _index, _part, _drawing), do: missing()

  # Models and encoders
  def model_load(_reference, _path, _options), do: missing()
  def model_generate(_reference, _model, _prompt, _options), do: missing()
  def model_score(_reference, _model, _prompt, _continuations), do: missing()
  def model_count_tokens(_model, _text), do: missing()
  def model_info(_model), do: missing()
  def encoder_load(_reference, _path, _options), do: missing()
  def encoder_embed(_reference, _encoder, _texts), do: missing()
  def encoder_matrix(_reference, _encoder, _texts), do: missing()

  # Caches of embeddings
  def embedding_cache_open(_path, _max_bytes), do: missing()
  def embedding_cache_stats(_cache), do: missing()

  # Repair
  def repair_start(_reference, _index, _report, _scope, _limit), do: missing()
  def repair_page(_reference, _repair, _options, _model), do: missing()
  def repair_reductions(_repair, _candidate), do: missing()
  def repair_batch(_repair, _candidates), do: missing()
  def repair_texts(_repair, _candidate), do: missing()
  def repair_patches(_repair, _candidate), do: missing()

  # Search
  def tree_new(_options), do: missing()
  def tree_ask(_tree, _count), do: missing()
  def tree_children(_tree, _node, _thoughts), do: missing()
  def tree_more(_tree, _node, _thoughts), do: missing()
  def tree_verdict(_tree, _node, _verdict), do: missing()
  def tree_tick(_tree, _seconds), do: missing()
  def tree_status(_tree), do: missing()
  def tree_untried(_tree, _node), do: missing()
  def tree_trace(_tree, _form, _children), do: missing()

  # JSON
  def json_decode(_text), do: missing()
  def json_encode(_term), do: missing()

  defp missing do
    sentence = :persistent_term.get(__MODULE__, "Ambix's native library is not loaded; run mix compile")
    :erlang.nif_error(Ambix.Error.new(:not_compiled, sentence))
  end
end
