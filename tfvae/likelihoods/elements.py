"""What the likelihoods of independent elements share."""

from tfvae.likelihoods.base import Likelihood


class Elements(Likelihood):
    """Independent elements: of an event's shape it keeps only how many axes there are.

    Attributes:
        event_rank: that number.
    """

    def build(self, event_shape):
        self.event_rank = len(event_shape)
        self.built = True

    def kept(self, event_shape):
        return len(event_shape)
