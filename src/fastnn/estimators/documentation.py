"""Where an estimator's documentation is: notebooks link its diagram, and each of its parameters, to that."""

from typing import ClassVar

from fastnn.runtime.installation import DOCUMENTATION


class DocumentationLink:
    """An estimator whose diagram in notebooks has links to its documentation, and tooltips from its docstring.

    scikit-learn makes them of these attributes. A class that a user derives has none, since it is of another module.
    This class comes before BaseEstimator among the bases.
    """

    _doc_link_module: ClassVar[str] = "fastnn"
    _doc_link_template: ClassVar[str] = DOCUMENTATION + "/api/{public_name}.html"

    def _doc_link_url_param_generator(self):
        """What the template is filled in with: the name by which users import the class."""
        _, folder, *_ = type(self).__module__.split(".")
        prefix = "fastnn.sequences" if folder == "sequences" else "fastnn"
        return {"public_name": f"{prefix}.{type(self).__name__}"}
